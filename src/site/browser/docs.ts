/**
 * The API reference: Swagger UI on `openapi.json`.
 */

/** Loaded by its own script tag; this is the part that is used. */
declare const SwaggerUIBundle: (options: {
  readonly url: string;
  readonly dom_id: string;
  /** Without it, the description would be sent to a service of the vendor's. */
  readonly validatorUrl: null;
  readonly deepLinking: boolean;
}) => unknown;

SwaggerUIBundle({ url: 'openapi.json', dom_id: '#reference', validatorUrl: null, deepLinking: true });
