/**
 * The registrator: announces the containers of one machine as servers, asks whether they are healthy, and takes out
 * those that are not. `offers/` decides (pure), `containers/` reads the container runtime, the rest is the process. It
 * must not serve traffic, and writes nothing but what registrators write (`registry/services.ts`).
 */
export { registratorOptions, registratorReport } from './options.ts';
export { type RegistratorOptions, runRegistrator } from './registrator.ts';
