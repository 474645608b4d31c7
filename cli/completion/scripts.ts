/** What a shell reads to complete `genkan`: made of the table of commands, so that it knows no less and no more. Pure. */

export interface CompletedOption {
  /** `-o`, `--output`: as they are typed. */
  readonly names: readonly string[];
  readonly description: string;
  /** What follows it; undefined: nothing does. */
  readonly value?: "any" | "path" | readonly string[];
}

export interface CompletedCommand {
  readonly name: string;
  readonly description: string;
  readonly options: readonly CompletedOption[];
  /** Values of its argument, if they are few. */
  readonly values?: readonly string[];
}

export const SHELLS = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof SHELLS)[number];

export function completion(shell: Shell, commands: readonly CompletedCommand[]): string {
  return { bash, zsh, fish }[shell](commands);
}

const namesOf = (options: readonly CompletedOption[]): string[] => options.flatMap(({ names }) => names);
/** In single quotes; a quote ends them, is written by itself, and begins them again. */
const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

function bash(commands: readonly CompletedCommand[]): string {
  const after = commands.flatMap(({ name, options }) =>
    options
      .filter(({ value }) => value !== undefined)
      .map(({ names, value }) => {
        const words = names.map((option) => `"${name} ${option}"`).join("|");
        return `    ${words}) ${bashValues(value)} return ;;`;
      }),
  );
  const words = commands.map(
    ({ name, options, values = [] }) =>
      `    ${name}) words=${quoted([...values, ...namesOf(options)].join(" "))} ;;`,
  );
  const names = commands.map(({ name }) => name);
  return `# bash completion for genkan: source it, or put it where bash-completion looks for "genkan".
_genkan() {
  local current=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD - 1]} command='' words='' at
  COMPREPLY=()
  for ((at = 1; at < COMP_CWORD; at++)); do
    case \${COMP_WORDS[at]} in
    ${names.join("|")}) command=\${COMP_WORDS[at]}; break ;;
    esac
  done
  case "$command $before" in
${after.join("\n")}
  esac
  case $command in
    '') words=${quoted([...names, "--help", "--version"].join(" "))} ;;
${words.join("\n")}
  esac
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}
complete -F _genkan genkan
`;
}

function bashValues(value: CompletedOption["value"]): string {
  if (value === "path") return `compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$current");`;
  if (value === undefined || value === "any") return "";
  return `mapfile -t COMPREPLY < <(compgen -W ${quoted(value.join(" "))} -- "$current");`;
}

function zsh(commands: readonly CompletedCommand[]): string {
  // A colon separates the parts of what _describe and _arguments read; brackets hold a description.
  const plain = (text: string): string => text.replace(/[[\]:\\]/g, "\\$&");
  const spec = ({ names, description, value }: CompletedOption): string[] => {
    const action =
      value === undefined
        ? ""
        : value === "any"
          ? ":value:"
          : value === "path"
            ? ":path:_files"
            : `:value:(${value.join(" ")})`;
    return names.map((name) => quoted(`*${name}[${plain(description)}]${action}`));
  };
  const cases = commands.map(({ name, options, values }) => {
    const own = values === undefined ? [] : [quoted(`1:value:(${values.join(" ")})`)];
    const specs = [...own, ...options.flatMap(spec)];
    return `    ${name}) _arguments ${specs.join(" ")} ;;`;
  });
  return `#compdef genkan
# zsh completion for genkan: as _genkan in a folder of $fpath, or source it after compinit.
_genkan() {
  local -a commands
  commands=(
${commands.map(({ name, description }) => `    ${quoted(`${name}:${plain(description)}`)}`).join("\n")}
  )
  if ((CURRENT == 2)); then
    _describe command commands
    return
  fi
  local command=$words[2]
  shift words
  ((CURRENT--))
  case $command in
${cases.join("\n")}
  esac
}
compdef _genkan genkan
`;
}

function fish(commands: readonly CompletedCommand[]): string {
  const lines = commands.flatMap(({ name, description, options, values }) => [
    `complete -c genkan -n __fish_use_subcommand -a ${name} -d ${fishQuoted(description)}`,
    ...(values === undefined ? [] : [`${fishOf(name)} -a ${fishQuoted(values.join(" "))}`]),
    ...options.map(({ names, description: text, value }) => {
      const flags = names.map((option) =>
        option.startsWith("--") ? `-l ${option.slice(2)}` : `-s ${option.slice(1)}`,
      );
      return `${fishOf(name)} ${flags.join(" ")} -d ${fishQuoted(text)}${fishValues(value)}`;
    }),
  ]);
  return `# fish completion for genkan: as genkan.fish in a folder of $fish_complete_path, or source it.
complete -c genkan -f
${lines.join("\n")}
`;
}

const fishOf = (command: string): string => `complete -c genkan -n '__fish_seen_subcommand_from ${command}'`;
const fishQuoted = (text: string): string => `'${text.replace(/['\\]/g, "\\$&")}'`;

function fishValues(value: CompletedOption["value"]): string {
  if (value === undefined) return "";
  if (value === "any") return " -x";
  return value === "path" ? " -r -F" : ` -x -a ${fishQuoted(value.join(" "))}`;
}
