import chalk, { chalkStderr } from 'chalk';

/** chalk knows terminals and FORCE_COLOR, but not https://no-color.org. */
const isPlain = (process.env.NO_COLOR ?? '') !== '';

/** Green where standard output shows colours. */
export const green = (text: string): string => (isPlain ? text : chalk.green(text));

/** Red where standard output shows colours. */
export const red = (text: string): string => (isPlain ? text : chalk.red(text));

/** Red where standard error shows colours. */
export const redOnStderr = (text: string): string => (isPlain ? text : chalkStderr.red(text));
