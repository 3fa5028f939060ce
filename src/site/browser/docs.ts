/**
 * The reference: Swagger UI on our own description.
 */

/** Swagger UI comes as a script of its own; this is what is used of it. */
declare const SwaggerUIBundle: (options: {
  readonly url: string;
  readonly dom_id: string;
  /** Without it, the description would be sent to a service of the vendor's. */
  readonly validatorUrl: null;
  readonly deepLinking: boolean;
}) => unknown;

SwaggerUIBundle({ url: 'openapi.json', dom_id: '#reference', validatorUrl: null, deepLinking: true });
