/**
 * Unit names, unit files, specifiers and [X-Fleet], as systemd and fleet read them. Pure: it must not know machines,
 * placements or the registry.
 */
export { type Announces, announcesOf } from './announces.ts';
export { installClaims } from './claims.ts';
export { escapeName, escapePath, unescapeName, unescapePath } from './escape.ts';
export {
  canonicalText,
  effectiveValues,
  options,
  parseUnitFile,
  printUnitFile,
  readUnitFile,
  shortHash,
  type UnitFile,
  unitHash,
  values,
} from './file.ts';
export { compileGlob, fleetGlob, goMatch } from './glob.ts';
export { type HealthCheck, healthCheckOf } from './health-check.ts';
export { matchMachineId, matchMetadata, parseMetadata, shortMachineId } from './metadata.ts';
export {
  mangle,
  parseUnitName,
  splitUnitName,
  type UnitName,
} from './name.ts';
export { nearest } from './nearest.ts';
export { splitQuoted } from './quoting.ts';
export { expandRanges } from './range.ts';
export { cpuText, type PortRange, parseSize, sizeText } from './resources.ts';
export { expandSpecifiers, type MachineFacts, renderUnit, resolveByName } from './specifier.ts';
export { candidates, outdatedInstances } from './template.ts';
export { validateUnit } from './validate.ts';

export {
  parseMultivalue,
  type Requirements,
  rawRequirements,
  requirements,
  unknownFleetKeys,
} from './xfleet.ts';
