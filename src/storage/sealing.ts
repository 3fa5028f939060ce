/**
 * Encrypts what is stored in Redis, which may write it to disk: AES-256-GCM, prefixed with the key's id so that keys can be
 * rotated.
 */
import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto';

export interface SealingKey {
  readonly id: Buffer;
  readonly value: Buffer;
}

const cipherName = 'aes-256-gcm';
const bytes = { id: 4, iv: 12, tag: 16 };

/** @param value 32 bytes */
export function sealingKey(value: Buffer): SealingKey {
  return { id: createHash('sha256').update(value).digest().subarray(0, bytes.id), value };
}

/** Encrypts `plain`. @param context must be the same to open it */
export function seal(key: SealingKey, plain: Buffer, context: string): Buffer {
  const iv = randomBytes(bytes.iv);
  const cipher = createCipheriv(cipherName, key.value, iv).setAAD(Buffer.from(context));
  const sealed = Buffer.concat([cipher.update(plain), cipher.final()]);
  return Buffer.concat([key.id, iv, cipher.getAuthTag(), sealed]);
}

/** Decrypts with whichever key sealed it, or returns why that failed. */
export function open(keys: readonly SealingKey[], sealed: Buffer, context: string): Buffer | 'unknown-key' | 'damaged' {
  const id = sealed.subarray(0, bytes.id);
  const key = keys.find((one) => one.id.equals(id));
  if (!key) return 'unknown-key';
  const iv = sealed.subarray(bytes.id, bytes.id + bytes.iv);
  const tag = sealed.subarray(bytes.id + bytes.iv, bytes.id + bytes.iv + bytes.tag);
  if (tag.length < bytes.tag) return 'damaged';
  try {
    const decipher = createDecipheriv(cipherName, key.value, iv).setAAD(Buffer.from(context)).setAuthTag(tag);
    const content = sealed.subarray(bytes.id + bytes.iv + bytes.tag);
    return Buffer.concat([decipher.update(content), decipher.final()]);
  } catch {
    return 'damaged';
  }
}
