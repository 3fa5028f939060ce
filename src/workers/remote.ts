/**
 * A worker's access to parts that live in the primary.
 */
import type { SharedCounter } from '../callers/rate-limit/shared-counter.ts';
import type { ExportSlots } from '../reports/export/slots.ts';
import type { Asking } from './channel.ts';

export const countedByPrimary = (primary: Asking): SharedCounter => ({
  isUp: true,
  add: (key, count, leftMs) => primary.ask('count', { key, count, leftMs }),
});

export const exportSlotsOf = (primary: Asking): ExportSlots => ({
  acquire: async (exporter) => {
    const slot = await primary.ask('enterExport', exporter);
    return () => void primary.ask('leaveExport', slot);
  },
});
