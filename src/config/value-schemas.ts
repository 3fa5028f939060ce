/**
 * Value types of settings.
 */
import { z } from 'zod';
import { isListenHost } from './addresses.ts';

export const mebibyte = 1024 * 1024;

export const integer = (minimum: number, maximum: number, preset: number, doc: string) =>
  z.int().min(minimum).max(maximum).default(preset).describe(doc);

/** Marks a setting that a reload applies. All others need a restart. */
export const live = <S extends z.ZodType>(setting: S): S => setting.meta({ live: true });

export const port = (preset: number, doc: string) => integer(0, 65_535, preset, doc);

/** An address to listen on; loopback by default. */
export const listenHost = (doc: string) =>
  z
    .string()
    .min(1)
    .max(255)
    .refine(isListenHost, 'a host name or address without scheme and port, IPv6 without brackets')
    .default('127.0.0.1')
    .describe(doc);

/** A file's path, or empty. */
export const filePath = z
  .string()
  .max(4096)
  .refine(
    (path) => !/^[\s"'~]|[\s"']$|\p{Cc}/u.test(path),
    'a path without blanks or quotes around it, and on one line; ~ is not expanded',
  );

/** A file's path; empty for no file. */
export const optionalFile = (doc: string, path = filePath) => path.default('').describe(doc);
