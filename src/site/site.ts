/**
 * Serves the pages for browsers: the explorer at `/`, the API reference at `/docs`, its description at `/openapi.json`,
 * and a page for every problem.
 *
 * The pages hold no data: they are the same for every visitor and open to anyone who reaches the host. The explorer requests
 * its data like any other caller.
 */
import express, { type Router } from 'express';
import { headerLines } from '../http/header-block.ts';
import { answeredOptions } from '../http/methods.ts';
import { contextOf } from '../http/request-context.ts';
import { securityHeaders } from '../http/security-headers.ts';
import { searchOf } from '../http/target.ts';
import { Problem, problemCodes } from '../problems.ts';
import { File, readFolder } from './files.ts';
import { type DescriptionOptions, describeApi } from './openapi/description.ts';
import { chooseForm, problemPage } from './problem-page.ts';

/** Where `npm run build` puts the files for browsers. */
const built = new URL('../../dist/', import.meta.url);

/**
 * Allows this host only, without inline scripts or styles. Styles may embed pictures (`data:`), as those of the API
 * reference do.
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

/** Matches targets of the site by their path. No API resource has such a path. */
export function sitePaths(basePath: string): (target: string) => boolean {
  const name = '[^/?#]+';
  const paths = `/?|/docs/?|/openapi\\.json|/problems/${name}/?|/assets/(?:client|site/browser|site/vendor)/${name}`;
  const pattern = new RegExp(`^${basePath.replaceAll('.', '\\.')}(?:${paths})(?:[?#]|$)`);
  // Most requests are for campaigns: skip the pattern for them.
  const campaigns = `${basePath}/campaigns/`;
  return (target) => !target.startsWith(campaigns) && pattern.test(target);
}

export function createSite(description: DescriptionOptions): Router {
  const { basePath } = description;
  const pages = readFolder(new URL('site/browser/', built), ['.html']);
  const scriptsIn = (folder: string) => readFolder(new URL(folder, built), ['.js', '.css', '.svg']);
  const own = scriptsIn('site/browser/');
  const vendor = scriptsIn('site/vendor/');
  const client = readFolder(new URL('client/', built), ['.js', '.ts', '.tgz']);
  const problems = new Map(problemCodes.map((code) => [code as string, problemPage(code, basePath)]));
  let openapi: File | undefined; // Made at its first request: it takes 20 ms.

  const site = express.Router({ caseSensitive: true, strict: true });
  const serve = (
    path: string,
    find: (params: Record<string, string>, accept?: string) => File | undefined,
    further = '',
  ) =>
    site.all(path, async (req) => {
      const context = contextOf(req);
      context.record.route = path.slice(basePath.length);
      if (answeredOptions(req)) return;
      const file = find(req.params as Record<string, string>, req.headers.accept);
      if (!file) throw new Problem('not-found');
      context.commonLines = `${documentHead}${further}`;
      await file.answer(req);
    });

  /** Leads to a page whose path was typed with a slash too many or too few. */
  const redirect = (path: string, find: (params: Record<string, string>) => string | undefined) =>
    site.get(path, (req) => {
      const page = find(req.params as Record<string, string>);
      if (page === undefined) throw new Problem('not-found');
      const search = searchOf(req.url);
      contextOf(req).answer(308, headerLines('Location', `${basePath}${page}${search && `?${search}`}`));
    });

  if (basePath !== '') redirect(basePath, () => '/');
  redirect(`${basePath}/docs/`, () => '/docs');
  redirect(`${basePath}/problems/:code/`, ({ code = '' }) => (problems.has(code) ? `/problems/${code}` : undefined));
  serve(`${basePath}/`, () => pages.get('explorer.html'));
  serve(`${basePath}/docs`, () => pages.get('docs.html'));
  serve(`${basePath}/openapi.json`, () => {
    openapi ??= new File('.json', Buffer.from(JSON.stringify(describeApi(description))));
    return openapi;
  });
  serve(`${basePath}/problems/:code`, ({ code = '' }, accept) => {
    const page = problems.get(code);
    return page && chooseForm(page, accept);
  });
  serve(`${basePath}/assets/site/browser/:name`, ({ name = '' }) => own.get(name));
  serve(`${basePath}/assets/site/vendor/:name`, ({ name = '' }) => vendor.get(name));
  // Pages of any origin may import the client; `callers.cors.origins` decides which of them get answers. A module is requested
  // with CORS, so this header decides and `Cross-Origin-Resource-Policy` does not (HTML, "fetch a single module script").
  serve(
    `${basePath}/assets/client/:name`,
    ({ name = '' }) => client.get(name),
    headerLines('Access-Control-Allow-Origin', '*'),
  );
  return site;
}
