export { escapeName, escapePath, unescapeName, unescapePath } from './escape.ts';
export {
  canonicalText,
  effectiveValues,
  MAX_UNIT_FILE_BYTES,
  options,
  type ParseOptions,
  parseUnitFile,
  printUnitFile,
  readUnitFile,
  shortHash,
  type UnitFile,
  type UnitLine,
  type UnitOption,
  unitHash,
  values,
} from './file.ts';
export { compileGlob, fleetGlob, type Glob, goMatch } from './glob.ts';
export { matchMachineId, matchMetadata, parseMetadata, shortMachineId } from './metadata.ts';
export {
  CLI_SUFFIXES,
  MAX_UNIT_NAME_BYTES,
  mangle,
  parseUnitName,
  splitUnitName,
  TEMPLATE_TYPES,
  UNIT_TYPES,
  type UnitName,
} from './name.ts';
export { levenshtein, nearest } from './nearest.ts';
export { splitQuoted } from './quoting.ts';
export { expandRanges } from './range.ts';
export { expandSpecifiers, type MachineFacts, renderUnit, resolveByName } from './specifier.ts';
export { type Candidate, candidates, outdatedInstances } from './template.ts';
export { type ValidatedUnit, validateUnit } from './validate.ts';
export {
  FLEET_KEYS,
  parseMultivalue,
  type Requirements,
  rawRequirements,
  requirements,
  unknownFleetKeys,
} from './xfleet.ts';
