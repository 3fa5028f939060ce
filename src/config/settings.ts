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
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly maxItems?: number;
}

/** The schema as JSON Schema, for editors and for the list below. */
export const jsonSchema = () => z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' });

let root: Node | undefined;
const rootNode = () => {
  root ??= jsonSchema() as Node;
  return root;
};

let made: readonly Setting[] | undefined;

/** All settings, in the order of the schema. */
export function settings(): readonly Setting[] {
  made ??= leaves(rootNode(), []);
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
      variable: wellKnown[dotted] ?? derivedVariable(dotted),
      type: typeOf(node),
      preset: node.default,
      doc: node.description ?? '',
      isLive: node.live === true,
    },
  ];
}

function typeOf({ type, items }: Node): Setting['type'] {
  if (type === 'array') return items?.type === 'object' ? 'json' : 'list';
  return type === 'integer' || type === 'boolean' ? type : 'string';
}

/** The variable of a setting without a well-known one. */
export const derivedVariable = (path: string) =>
  `SENDGATE_${path.replaceAll('.', '_').replace(/[A-Z]/g, '_$&').toUpperCase()}`;

function nodeAt(path: readonly string[]): Node | undefined {
  return path.reduce<Node | undefined>((node, name) => {
    if (node?.type === 'array') return node.items;
    return node?.properties && Object.hasOwn(node.properties, name) ? node.properties[name] : undefined;
  }, rootNode());
}

/** The names that an object at a path may have. */
export const namesAt = (path: readonly string[]): readonly string[] => Object.keys(nodeAt(path)?.properties ?? {});

/** What is allowed at a path, in words, as far as the schema has it. */
export function allowedAt(path: readonly string[]): string {
  const node = nodeAt(path) ?? {};
  if (node.enum) return node.enum.join(', ');
  if (node.type === 'integer') return `an integer from ${node.minimum} to ${node.maximum}`;
  if (node.type === 'number') return `a number from ${node.minimum} to ${node.maximum}`;
  if (node.type === 'boolean') return 'true or false';
  if (node.type === 'object') return `an object with some of ${Object.keys(node.properties ?? {}).join(', ')}`;
  if (node.type === 'array') return `${allowedList(node)}${settings().some(isAt(path)) ? inEnvironment(node) : ''}`;
  return allowedText(node);
}

const isAt = (path: readonly string[]) => (setting: Setting) => setting.path === path.join('.');

const allowedList = ({ items, maxItems }: Node) =>
  `a list of at most ${maxItems} ${items?.type === 'object' ? 'objects' : 'texts'}`;

const inEnvironment = ({ items }: Node) =>
  items?.type === 'object' ? ', in the environment as JSON' : ', in the environment separated by commas';

const allowedText = ({ minLength = 0, maxLength }: Node) =>
  maxLength === undefined
    ? 'a text'
    : `a text of ${minLength > 0 ? `${minLength} to` : 'at most'} ${maxLength} characters`;
