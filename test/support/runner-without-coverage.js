/**
 * Jest's own runner, for projects whose coverage is not collected: Jest has one switch for all of them.
 */
import Runner from 'jest-runner';

export default class extends Runner {
  constructor(globalConfig, context) {
    super({ ...globalConfig, collectCoverage: false }, context);
  }
}
