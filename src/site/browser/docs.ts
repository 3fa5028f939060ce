/**
 * The API reference: Swagger UI on `openapi.json`.
 */

/** A separate script tag loads it; only this part is used. */
declare const SwaggerUIBundle: (options: {
  readonly url: string;
  readonly dom_id: string;
  /** Without it, Swagger UI sends the description to the vendor's validator. */
  readonly validatorUrl: null;
  readonly deepLinking: boolean;
}) => unknown;

SwaggerUIBundle({ url: 'openapi.json', dom_id: '#reference', validatorUrl: null, deepLinking: true });
