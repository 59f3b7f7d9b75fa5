/** Values of ssh_config options that apply to one host: lower-case keyword to its values. */
export type OptionValues = Readonly<Record<string, string | readonly string[] | undefined>>;

/** An option and its value as it stands in a file. */
export interface Option {
  readonly keyword: string;
  readonly value: string;
}

/** Options that ssh2 lacks, with the values that ask for nothing. */
const OPENSSH_ONLY: Readonly<Record<string, RegExp>> = {
  proxycommand: /^none$/i,
  certificatefile: /^none$/i,
  pkcs11provider: /^none$/i,
  smartcarddevice: /^none$/i,
  securitykeyprovider: /^internal$/i,
  hostbasedauthentication: /^(no|false|off)$/i,
  pubkeyauthentication: /^(yes|true|unbound|host-bound)$/i,
  preferredauthentications: /publickey/i,
  knownhostscommand: /^none$/i,
  revokedhostkeys: /^none$/i,
  verifyhostkeydns: /^(no|false|off)$/i,
  bindinterface: /^$/,
  proxyusefdpass: /^(no|false|off)$/i,
  compression: /^(no|false|off)$/i,
  ciphers: /^$/,
  kexalgorithms: /^$/,
  macs: /^$/,
  hostkeyalgorithms: /^$/,
  pubkeyacceptedalgorithms: /^$/,
  pubkeyacceptedkeytypes: /^$/,
  hostbasedacceptedalgorithms: /^$/,
  hostbasedkeytypes: /^$/,
  casignaturealgorithms: /^$/,
  rekeylimit: /^default( none| 0)?$/i,
  requiredrsasize: /^(1024)?$/,
  fingerprinthash: /^sha256$/i,
};

/** Options that both transports follow, or that change nothing of how a machine is reached and spoken to. */
const FOLLOWED = new Set(
  `host match include hostname user port identityfile identitiesonly identityagent proxyjump userknownhostsfile
  globalknownhostsfile hostkeyalias serveraliveinterval serveralivecountmax connecttimeout connectionattempts
  addressfamily bindaddress addkeystoagent usekeychain tag ignoreunknown batchmode checkhostip controlmaster controlpath
  controlpersist escapechar gssapiauthentication gssapidelegatecredentials gssapikeyexchange gssapitrustdns
  gssapiclientidentity gssapirenewalforcesrekey gssapiserveridentity gssapikexalgorithms hashknownhosts ipqos
  kbdinteractiveauthentication challengeresponseauthentication kbdinteractivedevices loglevel logverbose syslogfacility
  nohostauthenticationforlocalhost numberofpasswordprompts passwordauthentication permitremoteopen requesttty sendenv
  sessiontype stdinnull streamlocalbindmask streamlocalbindunlink tcpkeepalive updatehostkeys visualhostkey xauthlocation
  canonicaldomains canonicalizehostname canonicalizefallbacklocal canonicalizemaxdots canonicalizepermittedcnames enablesshkeysign
  enableescapecommandline obscurekeystroketiming channeltimeout versionaddendum warnweakcrypto gatewayports
  exitonforwardfailure clearallforwardings forkafterauthentication permitlocalcommand forwardx11trusted
  forwardx11timeout tunneldevice protocol rhostsrsaauthentication rsaauthentication cipher compressionlevel
  useprivilegedport dynamicforwardbindaddress pubkeyauthenticationoptions securitykeyprovider refuseconnection`
    .split(/\s+/)
    .filter((word) => word !== ''),
);

/** Options that no transport of ours follows, the values that ask for nothing, and what there is instead. */
const NOT_FOLLOWED: Readonly<Record<string, { readonly off: RegExp; readonly instead: string }>> = {
  stricthostkeychecking: {
    off: /^(yes|true|ask|accept-new)$/i,
    instead: 'an unknown host key is refused; --strict-host-key-checking accept-new remembers it',
  },
  forwardagent: { off: /^(no|false|off)$/i, instead: 'cluster ssh -A lends the agent' },
  forwardx11: { off: /^(no|false|off)$/i, instead: 'no command of cluster shows windows' },
  localforward: { off: /^$/, instead: 'cluster opens no such ports' },
  remoteforward: { off: /^$/, instead: 'cluster opens no such ports' },
  dynamicforward: { off: /^$/, instead: 'cluster opens no such ports' },
  tunnel: { off: /^(no|false|off)$/i, instead: 'cluster opens no tunnel device' },
  localcommand: { off: /^none$/i, instead: 'cluster runs nothing here after a login' },
  remotecommand: { off: /^none$/i, instead: 'cluster runs its own commands there' },
  setenv: { off: /^$/, instead: 'set it in the unit or in the shell there' },
};

/** The options of a host that need the system's OpenSSH client. */
export function opensshOnly(values: OptionValues): Option[] {
  return given(values).filter(({ keyword, value }) => {
    const off = OPENSSH_ONLY[keyword];
    return off !== undefined && !off.test(value);
  });
}

/** The options of a host that cluster does not follow by any transport, with what it does instead. */
export function notFollowed(values: OptionValues): (Option & { readonly instead: string })[] {
  return given(values).flatMap((option) => {
    const known = NOT_FOLLOWED[option.keyword];
    if (known !== undefined)
      return known.off.test(option.value) ? [] : [{ ...option, instead: known.instead }];
    if (FOLLOWED.has(option.keyword) || OPENSSH_ONLY[option.keyword] !== undefined) return [];
    return [{ ...option, instead: 'cluster does not know this option' }];
  });
}

function given(values: OptionValues): Option[] {
  return Object.entries(values).flatMap(([keyword, value]) =>
    value === undefined ? [] : [{ keyword, value: [value].flat().join(' ') }],
  );
}
