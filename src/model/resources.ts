/**
 * All that is cached, by name.
 */
import { campaignResource, linksResource, summaryResource } from './campaign.ts';
import { directory } from './directory.ts';
import type { List } from './list.ts';
import { reports } from './reports.ts';
import type { ListName, Resource, ResourceName } from './resource.ts';
import { v2DetailsSource, v3EmailSource, v3EmailsSource, v3StatsSource, v3SummariesSource } from './sources.ts';

export const lists: Readonly<Record<ListName, List>> = { ...reports, campaigns: directory };

export const resources: Readonly<Record<ResourceName, Resource>> = {
  ...lists,
  campaign: campaignResource,
  summary: summaryResource,
  links: linksResource,
  'v2-details': v2DetailsSource,
  'v3-emails': v3EmailsSource,
  'v3-summaries': v3SummariesSource,
  'v3-email': v3EmailSource,
  'v3-stats': v3StatsSource,
};
