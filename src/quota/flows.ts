/**
 * Flows: queued demands by urgency and team. Names and weights are the same on every instance.
 */
import type { Urgency } from './demand.ts';

/** A flow's queue on one instance. */
export interface WaitingFlow {
  readonly name: string;
  readonly weight: number;
  readonly waiting: number;
  /** Calls of the day that it must leave to more urgent ones. */
  readonly kept: number;
}

/** Permits per urgency while all compete: interactive comes first, and none starves. */
const urgencyWeight: Readonly<Record<Urgency, number>> = { interactive: 16, refresh: 3, bulk: 1 };

export const flowOf = (urgency: Urgency, team: string) => `${urgency} ${team}`;
export const weightOf = (urgency: Urgency, teamWeight: number) => urgencyWeight[urgency] * teamWeight;
export const urgencyOf = (flow: string) => flow.slice(0, flow.indexOf(' ')) as Urgency;
export const teamOf = (flow: string) => flow.slice(flow.indexOf(' ') + 1);
