/**
 * The usual Express stack: Express with http-proxy-middleware that rewrites the links, apicache and compression.
 */
import apicache from 'apicache';
import compression from 'compression';
import express from 'express';
import { createProxyMiddleware, responseInterceptor } from 'http-proxy-middleware';

const { PORT, UPSTREAM, API_KEY, ACCESS_TOKEN } = process.env;

express()
  .use(compression())
  .use(apicache.middleware('1 hour'))
  .use(
    '/campaigns/:id/sends',
    createProxyMiddleware({
      target: UPSTREAM,
      changeOrigin: true,
      selfHandleResponse: true,
      pathRewrite: (_path, req) => {
        const id = req.originalUrl.split('/')[2];
        return `/v2/emailmarketing/campaigns/${id}/tracking/sends?api_key=${API_KEY}`;
      },
      headers: { authorization: `Bearer ${ACCESS_TOKEN}` },
      on: {
        proxyRes: responseInterceptor(async (body) => {
          return body
            .toString()
            .replaceAll(/\/v2\/emailmarketing\/campaigns\/(\d+)\/tracking\/sends/g, '/campaigns/$1/sends');
        }),
      },
    }),
  )
  .listen(Number(PORT), '127.0.0.1');
