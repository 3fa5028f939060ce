/**
 * Traces (OpenTelemetry): records spans if an SDK is loaded; costs next to nothing without one.
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

/** Route of a request that no resource handled. */
export const noRoute = '(none)';

/** The provider of a loaded SDK, or a proxy for one that may be loaded later. */
const provider = trace.getTracerProvider();
const tracer = provider.getTracer('sendgate');

/** The fields of a finished response that a span records. */
interface Answered {
  readonly route: string;
  readonly team: string;
  readonly campaign?: string | undefined;
  readonly cache?: string | undefined;
  readonly problem?: string | undefined;
}

/** The trace of a request in progress. */
export interface RequestTrace {
  /** For the access log; undefined without an SDK. */
  readonly traceId: string | undefined;
  /** Runs `work` within the request's span. */
  run<T>(work: () => T): T;
  end(answered: Answered, status: number): void;
}

const noProvider = new ProxyTracerProvider().getDelegate();

/** Whether an SDK has been loaded. */
const isTraced = () => !(provider instanceof ProxyTracerProvider) || provider.getDelegate() !== noProvider;

/** Starts the span of a request, as a child of the caller's span if the request has a `traceparent`. */
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
      // The path of an unknown route may hold anything, so it is left out.
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

/** Propagates the context of a request that is not sampled, so that calls to Constant Contact are not sampled either. */
function untraced(span: Span, caller: Context): RequestTrace {
  if (!isSpanContextValid(span.spanContext())) return noTrace;
  const own = trace.setSpan(caller, span);
  return { ...noTrace, run: (work) => context.with(own, work) };
}

const noTrace: RequestTrace = { traceId: undefined, run: (work) => work(), end: () => {} };

/** Runs `work` in a child span, which records only the kind of an error. */
export function inSpan<T>(name: string, attributes: Attributes, work: (span: Span) => Promise<T>): Promise<T> {
  return within(name, SpanKind.INTERNAL, attributes, work);
}

/** Runs a call to another server in a client span; `headers` hold its `traceparent`, without baggage. */
export function inClientSpan<T>(
  name: string,
  attributes: Attributes,
  work: (span: Span, headers: Readonly<Record<string, string>>) => Promise<T>,
): Promise<T> {
  return within(name, SpanKind.CLIENT, attributes, (span) => work(span, traceHeaders()));
}

/** Returns the headers that carry the active span to another process: `traceparent` without baggage, or nothing without an SDK. */
export function traceHeaders(): Readonly<Record<string, string>> {
  const headers: Record<string, string> = {};
  propagation.inject(context.active(), headers);
  const { traceparent } = headers;
  return traceparent === undefined ? {} : { traceparent };
}

/** Runs `work` as a child of another process's span. */
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

/** How long an exiting process waits for spans to be sent. */
const flushMs = 500;

/** Flushes the SDK's pending spans before the process exits. */
export async function flushSpans(clock: Clock): Promise<void> {
  const sdk = provider instanceof ProxyTracerProvider ? provider.getDelegate() : provider;
  const { forceFlush } = sdk as { forceFlush?: () => Promise<void> };
  await settlesWithin(clock, flushMs, Promise.resolve(forceFlush?.call(sdk))).catch(() => {});
}

/** Runs background work outside the trace of the request that started it. */
export function detached<T>(work: () => T): T {
  return context.with(ROOT_CONTEXT, work);
}
