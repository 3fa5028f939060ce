/**
 * `npm run --silent sbom`: prints what the image holds as CycloneDX, read from the lockfile.
 */
import { execFileSync } from 'node:child_process';

/** Packages of development whose files the build copies into dist/site/vendor. */
const vendored = ['swagger-ui-dist', 'uplot'];

const flags = ['--package-lock-only', '--sbom-format=cyclonedx', '--sbom-type=application'];
const bom = JSON.parse(execFileSync('npm', ['sbom', ...flags], { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 }));

const isDevelopment = ({ properties }) => properties.some(({ name }) => name === 'cdx:npm:package:development');
const isIn = (component) => !isDevelopment(component) || vendored.includes(component.name);

// npm takes the folder's name for the package's.
const component = { ...bom.metadata.component, name: 'sendgate' };
const components = bom.components.filter(isIn);
const kept = new Set([component, ...components].map((each) => each['bom-ref']));
const dependencies = bom.dependencies
  .filter(({ ref }) => kept.has(ref))
  .map(({ ref, dependsOn }) => ({ ref, dependsOn: dependsOn.filter((each) => kept.has(each)) }));

const sbom = { ...bom, metadata: { ...bom.metadata, component }, components, dependencies };
process.stdout.write(`${JSON.stringify(sbom, null, 2)}\n`);
