/**
 * The switch between local time and UTC. The choice is kept for the next visit.
 */
import { part } from './page.ts';
import { remembered } from './remembered.ts';
import { chooseZone, rewriteTimes, type Zone } from './times.ts';

const choice = part<HTMLSelectElement>('zone');
const stored = remembered(() => localStorage, 'times');

const zoneOf = (text: string): Zone => (text === 'utc' ? 'utc' : 'local');

function show(zone: Zone): void {
  chooseZone(zone);
  rewriteTimes(document);
}

choice.addEventListener('change', () => {
  const zone = zoneOf(choice.value);
  stored.write(zone === 'local' ? '' : zone);
  show(zone);
});
choice.value = zoneOf(stored.read());
choice.title = `Local time is that of ${Intl.DateTimeFormat().resolvedOptions().timeZone}`;
show(zoneOf(choice.value));
