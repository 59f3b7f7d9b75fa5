/** The one place that says which proxy gateways drive. */
export { haproxy as chosenProxy } from './haproxy/index.ts';
