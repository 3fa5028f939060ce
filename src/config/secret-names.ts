/**
 * The secrets and their variables.
 */

/** The variable of each secret; `…_FILE` holds a path instead. */
export const secretNames = {
  apiKey: 'CONSTANT_CONTACT_API_KEY',
  accessToken: 'CONSTANT_CONTACT_ACCESS_TOKEN',
  clientId: 'CONSTANT_CONTACT_CLIENT_ID',
  clientSecret: 'CONSTANT_CONTACT_CLIENT_SECRET',
  refreshToken: 'CONSTANT_CONTACT_REFRESH_TOKEN',
  redisUrl: 'REDIS_URL',
} as const;

export type SecretName = keyof typeof secretNames;
