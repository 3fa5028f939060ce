/**
 * What both second levels of pages, Redis and the disk, take from the configuration.
 */
import type { Config } from '../config/schema.ts';

export const secondLevelOptions = ({ cache, constantContact, server }: Config) => ({
  /** Settings that change how a page is rendered. */
  namespace: `${constantContact.api}${server.basePath}`,
  maxFreshSeconds: cache.maxFreshSeconds,
  staleIfErrorSeconds: cache.staleIfErrorSeconds,
  notFoundSeconds: cache.notFoundSeconds,
  // Sendgate's field names and campaign ids can make a page longer than v3's response.
  maxPageBytes: constantContact.maxResponseBytes * 2,
});
