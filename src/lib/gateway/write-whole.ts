/** All or nothing for one file; only its owner may read it, since keys are among them. */
export { writePrivate as writeWhole } from '../private-directory.ts';
