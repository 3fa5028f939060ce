/**
 * Loads an OpenTelemetry SDK ahead of Sendgate: `node --import ./tracing.js dist/main.js`. See docs/tracing.md.
 *
 * No automatic instrumentation: that of HTTP would write URLs with their query strings, and with them v2's API key, into
 * spans.
 */
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { defaultResource, detectResources, envDetector } from '@opentelemetry/resources';
import { BatchSpanProcessor, NodeTracerProvider } from '@opentelemetry/sdk-trace-node';

/** Where to, and which part of the traces: OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_TRACES_SAMPLER and the other usual variables. */
new NodeTracerProvider({
  resource: defaultResource().merge(detectResources({ detectors: [envDetector] })),
  spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter())],
}).register();
