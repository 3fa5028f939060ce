import { execFileSync } from 'node:child_process';

/** Tests of the process run what `npm start` runs, so it is built first. */
export default function build() {
  execFileSync('npm', ['run', '--silent', 'build'], { stdio: 'inherit' });
}
