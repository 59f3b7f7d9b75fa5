export { Reporter as Logger, readSeverity, type Severity } from '../keep/index.ts';
