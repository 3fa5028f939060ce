/**
 * Settings from environment variables.
 */
import type { Setting } from './settings.ts';
import { putAt, type Tree } from './tree.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Kubernetes describes a service named `sendgate…` to every pod in its namespace, in variables of these forms: they are no settings.
 */
const kubernetesVariable = /_SERVICE_HOST$|_SERVICE_PORT(_\w+)?$|_PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?$/;
const kubernetesValue = /^(tcp|udp|sctp):\/\//;

/** Puts the variables' values into the tree; `mistakes` gets every variable that looks like a setting and is none. */
export function applyEnvironment(tree: Tree, env: Environment, known: readonly Setting[], mistakes: string[]): void {
  const byVariable = new Map(known.map((setting) => [setting.variable, setting]));
  for (const [variable, text] of Object.entries(env)) {
    // An empty variable is how compose files and shells say "not set".
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

/** A text that is not of the type stays a text, which the schema then refuses. */
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
