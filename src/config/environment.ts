/**
 * Settings from environment variables.
 */
import type { Setting } from './settings.ts';
import { putAt, type Tree } from './tree.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Variables that Kubernetes sets in every pod of a namespace with a service named `sendgate…`. They are not settings.
 */
const kubernetesVariable = /_SERVICE_HOST$|_SERVICE_PORT(_\w+)?$|_PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?$/;
const kubernetesValue = /^(tcp|udp|sctp):\/\//;

/** Puts variables into the tree. Adds every unknown variable that looks like a setting to `mistakes`. */
export function applyEnvironment(tree: Tree, env: Environment, known: readonly Setting[], mistakes: string[]): void {
  const byVariable = new Map(known.map((setting) => [setting.variable, setting]));
  for (const [variable, text] of Object.entries(env)) {
    // Compose files and shells write "not set" as an empty variable.
    if (text === undefined || text === '' || kubernetesValue.test(text)) continue;
    const setting = byVariable.get(variable);
    if (setting) putAt(tree, setting.path.split('.'), fromText(text, setting.type));
    else if (isMeantAsSetting(variable)) {
      mistakes.push(`${variable}: is not a setting; allowed: the documented variables`);
    }
  }
}

const isMeantAsSetting = (variable: string) =>
  variable.startsWith('SENDGATE_') && variable !== 'SENDGATE_CONFIG' && !kubernetesVariable.test(variable);

/** Converts a text to the setting's type. One that does not convert stays a text, which the schema then rejects. */
function fromText(text: string, type: Setting['type']): unknown {
  switch (type) {
    case 'list':
      return text
        .split(',')
        .map((part) => part.trim())
        .filter((part) => part !== '');
    case 'integer':
      return /^-?\d+$/.test(text.trim()) ? Number(text) : text;
    case 'boolean':
      return /^(true|false)$/.test(text) ? text === 'true' : text;
    case 'json':
      return parseJson(text);
    case 'string':
      return text;
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
