/**
 * The settings as a flat list, derived from the schema: for the environment, the documentation and messages.
 */
import { z } from 'zod';
import { schema } from './schema.ts';

export interface Setting {
  /** `cache.maxBytes` */
  readonly path: string;
  /** `SENDGATE_CACHE_MAX_BYTES`, or a well-known name such as `PORT`. */
  readonly variable: string;
  readonly type: 'integer' | 'boolean' | 'string' | 'list' | 'json';
  readonly preset: unknown;
  /** The bounds in words, as far as the schema has them. */
  readonly allowed: string;
  readonly doc: string;
  /** Whether a reload applies a change; otherwise it needs a restart. */
  readonly isLive: boolean;
}

/** Variables not derived from the setting's path. */
const wellKnown: Readonly<Record<string, string>> = {
  'server.host': 'HOST',
  'server.port': 'PORT',
  'server.workers': 'SENDGATE_WORKERS',
  'constantContact.api': 'CONSTANT_CONTACT_API',
  'constantContact.baseUrl': 'CONSTANT_CONTACT_BASE_URL',
  'constantContact.oauth.tokenUrl': 'CONSTANT_CONTACT_TOKEN_URL',
  'constantContact.oauth.tokenFile': 'CONSTANT_CONTACT_TOKEN_FILE',
};

interface Node {
  readonly type?: string;
  readonly properties?: Readonly<Record<string, Node>>;
  readonly default?: unknown;
  readonly description?: string;
  readonly enum?: readonly string[];
  readonly items?: Node;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly live?: boolean;
}

/** The schema as JSON Schema, for editors and for the list below. */
export const jsonSchema = () => z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' });

let made: readonly Setting[] | undefined;

/** All settings, in the order of the schema. */
export function settings(): readonly Setting[] {
  made ??= leaves(jsonSchema() as Node, []);
  return made;
}

function leaves(node: Node, path: readonly string[]): Setting[] {
  if (node.properties) {
    return Object.entries(node.properties).flatMap(([name, child]) => leaves(child, [...path, name]));
  }
  const dotted = path.join('.');
  return [
    {
      path: dotted,
      variable: wellKnown[dotted] ?? `SENDGATE_${path.map(upperSnake).join('_')}`,
      type: typeOf(node),
      preset: node.default,
      allowed: allowedOf(node),
      doc: node.description ?? '',
      isLive: node.live === true,
    },
  ];
}

function typeOf({ type, items }: Node): Setting['type'] {
  if (type === 'array') return items?.type === 'object' ? 'json' : 'list';
  return type === 'integer' || type === 'boolean' ? type : 'string';
}

const upperSnake = (name: string) => name.replace(/[A-Z]/g, '_$&').toUpperCase();

function allowedOf(node: Node): string {
  if (node.enum) return node.enum.join(', ');
  if (node.type === 'integer') return `an integer from ${node.minimum} to ${node.maximum}`;
  if (node.type === 'boolean') return 'true or false';
  if (typeOf(node) === 'json') return 'a list of objects, in the environment as JSON';
  return node.type === 'array' ? 'a list' : 'a text';
}
