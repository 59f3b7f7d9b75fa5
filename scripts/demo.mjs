import process from 'node:process';
import { bootstrap, tsx } from './bootstrap.mjs';

bootstrap();
process.exitCode = tsx('scripts/demo.ts', process.argv.slice(2));
