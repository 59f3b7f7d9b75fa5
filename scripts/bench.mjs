import process from 'node:process';
import { bootstrap, tsx } from './bootstrap.mjs';

bootstrap();
process.exitCode = tsx('bench/main.ts', process.argv.slice(2));
