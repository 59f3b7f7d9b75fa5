import { spawn } from 'node:child_process';

/** Tells systemd that this process is ready, once, with a line for `systemctl status`. */
export type Ready = (status: string) => void;

/**
 * For a service of Type=notify; does nothing in any other. The variable that names the socket is taken away, so that no
 * program that this process starts reports anything. Node opens no datagram sockets of this kind, hence the program.
 */
export function readinessOf(env: NodeJS.ProcessEnv): Ready {
  const socket = env.NOTIFY_SOCKET;
  delete env.NOTIFY_SOCKET;
  let isTold = socket === undefined;
  return (status) => {
    if (isTold) return;
    isTold = true;
    const child = spawn('systemd-notify', ['--ready', `--status=${status}`], {
      env: { ...env, NOTIFY_SOCKET: socket },
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    child.once('error', (error) =>
      process.stderr.write(`systemd cannot be told of readiness: ${error.message}\n`),
    );
  };
}
