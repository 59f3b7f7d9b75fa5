/** A key prefix as it was configured, with the slash that everything below it begins with. */
export function below(prefix: string, folder = ''): string {
  return `${prefix.replace(/\/$/, '')}/${folder}`;
}
