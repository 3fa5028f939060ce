/**
 * A campaign with a page larger than socket buffers for a reader that does not read: fifteen megabytes.
 */
export function hugeCampaign(id: string) {
  const known = Array.from({ length: 500 }, (_, n) => ({
    contactId: String(n),
    email: `${'x'.repeat(30_000)}@example.com`,
    at: new Date(Date.now() - 86_400_000 - n * 1000).toISOString(),
  }));
  return { id, size: known.length, newestMs: Date.now(), known };
}
