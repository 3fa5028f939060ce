/**
 * What people open in a browser: the explorer at `/`, the reference of the API at `/docs`, its description at
 * `/openapi.json`, and a page for every problem.
 *
 * None of it holds data: it is the same for everybody, and open to everybody who knows the host. What it shows, it asks
 * for as any caller does.
 */
import express, { type Router } from 'express';
import { headLines } from '../http/header-block.ts';
import { onlyReads } from '../http/methods.ts';
import { exchangeOf } from '../http/request-context.ts';
import { securityHeaders } from '../http/security-headers.ts';
import { Problem, problemCodes } from '../problems.ts';
import { File, readFolder } from './files.ts';
import { type DescriptionOptions, describeApi } from './openapi.ts';
import { problemPage } from './problem-page.ts';

/** What `npm run build` has made for browsers. */
const built = new URL('../../dist/', import.meta.url);

/**
 * Everything comes from here: no script or style stands in a page, and nothing goes anywhere else. Pictures may stand in a
 * style, as those of the reference do.
 */
const documentHead = securityHeaders({
  defaultSrc: ["'none'"],
  scriptSrc: ["'self'"],
  styleSrc: ["'self'"],
  imgSrc: ["'self'", 'data:'],
  connectSrc: ["'self'"],
  baseUri: ["'none'"],
  formAction: ["'none'"],
  frameAncestors: ["'none'"],
});

/** Whether a target is one of the site's, as far as can be told without looking for it. No resource is under these paths. */
export function sitePaths(basePath: string): (target: string) => boolean {
  const name = '[^/?#]+';
  const paths = `/?|/docs|/openapi\\.json|/problems/${name}|/assets/(?:client|site/browser|site/vendor)/${name}`;
  const pattern = new RegExp(`^${basePath.replaceAll('.', '\\.')}(?:${paths})(?:[?#]|$)`);
  // What is asked most is told by its first letters.
  const campaigns = `${basePath}/campaigns/`;
  return (target) => !target.startsWith(campaigns) && pattern.test(target);
}

export function createSite(description: DescriptionOptions): Router {
  const { basePath } = description;
  const pages = readFolder(new URL('site/browser/', built), ['.html']);
  const scriptsIn = (folder: string) => readFolder(new URL(folder, built), ['.js', '.css', '.svg']);
  const own = scriptsIn('site/browser/');
  const vendor = scriptsIn('site/vendor/');
  const client = scriptsIn('client/');
  const problems = new Map(problemCodes.map((code) => [code as string, new File('.html', problemPage(code))]));
  const openapi = new File('.json', JSON.stringify(describeApi(description)));

  const site = express.Router({ caseSensitive: true, strict: true });
  const serve = (path: string, find: (params: Record<string, string>) => File | undefined, further = '') =>
    site.all(path, async (req) => {
      const exchange = exchangeOf(req);
      exchange.told.route = path.slice(basePath.length);
      if (onlyReads(req)) return;
      const file = find(req.params as Record<string, string>);
      if (!file) throw new Problem('not-found');
      exchange.common = `${documentHead}${further}`;
      await file.answer(req);
    });

  const toRoot = headLines('Location', `${basePath}/`);
  if (basePath !== '') site.get(basePath, (req) => exchangeOf(req).answer(308, toRoot));
  serve(`${basePath}/`, () => pages.get('explorer.html'));
  serve(`${basePath}/docs`, () => pages.get('docs.html'));
  serve(`${basePath}/openapi.json`, () => openapi);
  serve(`${basePath}/problems/:code`, ({ code = '' }) => problems.get(code));
  serve(`${basePath}/assets/site/browser/:name`, ({ name = '' }) => own.get(name));
  serve(`${basePath}/assets/site/vendor/:name`, ({ name = '' }) => vendor.get(name));
  // Pages of other origins may load the client. What they may ask with it is another question.
  serve(
    `${basePath}/assets/client/:name`,
    ({ name = '' }) => client.get(name),
    headLines('Access-Control-Allow-Origin', '*'),
  );
  return site;
}
