export { registratorOptions } from './options.ts';
export { type RegistratorOptions, runRegistrator } from './registrator.ts';
