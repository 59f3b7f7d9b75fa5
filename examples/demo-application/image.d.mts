/** Writes a file that `docker load` turns into `demo-application:VERSION` for every version; see image.mjs. */
export function writeImages(file: string, versions: readonly string[]): Promise<void>;
