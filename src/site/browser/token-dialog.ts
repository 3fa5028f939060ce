/**
 * The dialog in which callers type their token. The browser keeps the focus in it, closes it on Escape and takes the focus
 * back. *Try it out* sends the token; the page forgets it when it is left.
 */
import type { Wrap } from './swagger.ts';

interface Scheme {
  get(name: 'description'): string;
}

interface Properties {
  readonly authActions: {
    authorize(schemes: Readonly<Record<string, { name: string; schema: Scheme; value: string }>>): void;
    logout(names: readonly string[]): void;
    showDefinitions(shown: false): void;
  };
  readonly authSelectors: {
    authorized(): { has(name: string): boolean };
  };
  readonly specSelectors: {
    securityDefinitions(): { get(name: string): Scheme };
  };
}

/** Of the security scheme, in `openapi.json`. */
const name = 'team';

const show = (dialog: HTMLDialogElement | null) => void (dialog?.open || dialog?.showModal());

export const tokenDialog: Wrap<Properties> =
  (_original, { React: { createElement } }) =>
  ({ authActions, authSelectors, specSelectors }) => {
    const schema = specSelectors.securityDefinitions().get(name);
    const isAuthorized = authSelectors.authorized().has(name);
    const onSubmit = ({ target }: { readonly target: HTMLFormElement }) =>
      isAuthorized
        ? authActions.logout([name])
        : authActions.authorize({ [name]: { name, schema, value: String(new FormData(target).get('token')) } });
    return createElement(
      'dialog',
      { ref: show, 'aria-labelledby': 'token-title', onClose: () => authActions.showDefinitions(false) },
      createElement(
        'form',
        { method: 'dialog', onSubmit },
        createElement('h2', { id: 'token-title' }, 'Token'),
        createElement('p', null, isAuthorized ? 'Try it out sends your token.' : schema.get('description')),
        !isAuthorized &&
          createElement(
            'label',
            null,
            'Token',
            createElement('input', { name: 'token', type: 'password', autoComplete: 'off', required: true }),
          ),
        createElement('button', { className: 'btn execute' }, isAuthorized ? 'Log out' : 'Authorize'),
        createElement(
          'button',
          {
            type: 'button',
            className: 'btn',
            onClick: (event: { readonly target: HTMLElement }) => event.target.closest('dialog')?.close(),
          },
          'Close',
        ),
      ),
    );
  };
