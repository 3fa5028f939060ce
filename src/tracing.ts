/**
 * Traces (OpenTelemetry): spans where an SDK is loaded, at next to no cost where none is.
 *
 * Names and attributes follow the semantic conventions for HTTP. They hold no query string, address or error message.
 */
import type { IncomingMessage } from 'node:http';
import {
  type Attributes,
  type Context,
  context,
  isSpanContextValid,
  ProxyTracerProvider,
  propagation,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api';
import { type Clock, settlesWithin } from './clock.ts';
import { Problem } from './problems.ts';

/** The route of a request that no resource handled. */
export const noRoute = '(none)';

/** The SDK's, if one is loaded already; else a proxy for one that may be loaded later. */
const provider = trace.getTracerProvider();
const tracer = provider.getTracer('sendgate');

/** What a span records of a finished response. */
interface Answered {
  readonly route: string;
  readonly team: string;
  readonly campaign?: string | undefined;
  readonly cache?: string | undefined;
  readonly problem?: string | undefined;
}

/** The trace of a request in progress. */
export interface RequestTrace {
  /** For the log; undefined without an SDK. */
  readonly traceId: string | undefined;
  /** Runs `work` within the request's span. */
  run<T>(work: () => T): T;
  end(answered: Answered, status: number): void;
}

const noProvider = new ProxyTracerProvider().getDelegate();

/** Whether an SDK has been loaded. */
const isTraced = () => !(provider instanceof ProxyTracerProvider) || provider.getDelegate() !== noProvider;

/** Begins the span of a request, below that of its caller where it has sent a `traceparent`. */
export function traceRequest({ method = '', headers }: IncomingMessage): RequestTrace {
  if (!isTraced()) return noTrace;
  const caller = propagation.extract(context.active(), headers);
  const span = tracer.startSpan(method, { kind: SpanKind.SERVER }, caller);
  if (!span.isRecording()) return untraced(span, caller);
  const own = trace.setSpan(caller, span);
  return {
    traceId: span.spanContext().traceId,
    run: (work) => context.with(own, work),
    end: ({ route, team, campaign, cache, problem }, status) => {
      // An unknown path may hold anything.
      const path =
        route === noRoute ? {} : { 'http.route': route, 'url.path': route.replace(':id', campaign ?? ':id') };
      span.updateName(route === noRoute ? method : `${method} ${route}`);
      span.setAttributes({
        'http.request.method': method,
        'http.response.status_code': status,
        'url.scheme': 'http',
        ...path,
        'sendgate.team': team,
        ...(cache === undefined ? {} : { 'sendgate.cache': cache }),
        ...(problem === undefined ? {} : { 'error.type': problem }),
      });
      if (status >= 500) span.setStatus({ code: SpanStatusCode.ERROR });
      span.end();
    },
  };
}

/** A request that its caller does not sample: Constant Contact learns that, too. */
function untraced(span: Span, caller: Context): RequestTrace {
  if (!isSpanContextValid(span.spanContext())) return noTrace;
  const own = trace.setSpan(caller, span);
  return { ...noTrace, run: (work) => context.with(own, work) };
}

const noTrace: RequestTrace = { traceId: undefined, run: (work) => work(), end: () => {} };

/** Runs `work` in a separate span. Of an error, the span records only its kind. */
export function inSpan<T>(name: string, attributes: Attributes, work: (span: Span) => Promise<T>): Promise<T> {
  return within(name, SpanKind.INTERNAL, attributes, work);
}

/** The same for a call to another server; `headers` get the `traceparent` that goes with it, and no baggage. */
export function inClientSpan<T>(
  name: string,
  attributes: Attributes,
  work: (span: Span, headers: Readonly<Record<string, string>>) => Promise<T>,
): Promise<T> {
  return within(name, SpanKind.CLIENT, attributes, (span) => work(span, traceHeaders()));
}

/** Carries the active span to another process: `traceparent`, without baggage. Empty without an SDK. */
export function traceHeaders(): Readonly<Record<string, string>> {
  const headers: Record<string, string> = {};
  propagation.inject(context.active(), headers);
  const { traceparent } = headers;
  return traceparent === undefined ? {} : { traceparent };
}

/** Runs the work of a span of another process, below that span. */
export function inTraceOf<T>(headers: Readonly<Record<string, string>>, work: () => T): T {
  return context.with(propagation.extract(ROOT_CONTEXT, headers), work);
}

function within<T>(name: string, kind: SpanKind, attributes: Attributes, work: (span: Span) => Promise<T>): Promise<T> {
  return tracer.startActiveSpan(name, { kind, attributes }, async (span) => {
    try {
      return await work(span);
    } catch (error) {
      failed(span, error instanceof Problem ? error.code : 'aborted');
      throw error;
    } finally {
      span.end();
    }
  });
}

export function failed(span: Span, kind: string): void {
  span.setAttribute('error.type', kind);
  span.setStatus({ code: SpanStatusCode.ERROR });
}

/** At its end, a process waits for spans to be sent no longer than this. */
const flushMs = 500;

/** Has the SDK send its pending spans, at the end of the process. */
export async function flushSpans(clock: Clock): Promise<void> {
  const sdk = provider instanceof ProxyTracerProvider ? provider.getDelegate() : provider;
  const { forceFlush } = sdk as { forceFlush?: () => Promise<void> };
  await settlesWithin(clock, flushMs, Promise.resolve(forceFlush?.call(sdk))).catch(() => {});
}

/** Runs background work outside the trace of the request that started it. */
export function detached<T>(work: () => T): T {
  return context.with(ROOT_CONTEXT, work);
}
