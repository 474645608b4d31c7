/** Names, sizes, and words that bring in time or chance: what a file shows without its imports. Pure. */
import { basename } from "node:path";
import { ROLES } from "#hack/borders/folders.ts";
import { folderOf, type SourceFile } from "#hack/borders/source.ts";

/** Lines; a file beyond this is two files. */
const LONGEST = 450;
/** A table of cases may be longer. */
const LONGEST_TEST = 500;
/** Lines from which a file is pointed out. */
const LONG = 300;

const linesOf = ({ text }: SourceFile): number => text.split("\n").length;
const limitOf = ({ isTest }: SourceFile): number => (isTest ? LONGEST_TEST : LONGEST);

export const lengthFaults = (files: readonly SourceFile[]): string[] =>
  files
    .filter((file) => linesOf(file) > limitOf(file))
    .map((file) => `${file.path}: ${linesOf(file)} lines, ${limitOf(file)} at most`);

export const lengthNotes = (files: readonly SourceFile[]): string[] =>
  files
    .filter((file) => linesOf(file) > LONG && linesOf(file) <= limitOf(file))
    .map((file) => `${file.path}: ${linesOf(file)} lines, aim at ${LONG}`);

const KEBAB = /^[a-z0-9]+(-[a-z0-9]+)*(\.test)?\.ts$/;

/** Files are named in lower case with hyphens. A name is that of one helper in test/, so that who looks for it finds it. */
export function nameFaults(files: readonly SourceFile[]): string[] {
  const styles = files
    .filter(
      ({ path }) =>
        path.split("/").some((part) => !/^[a-z0-9.-]+$/.test(part)) || !KEBAB.test(basename(path)),
    )
    .map(({ path }) => `${path}: names are in lower case with hyphens`);
  const helpers = Map.groupBy(
    files.filter(({ path, isTest }) => folderOf(path) === "test" && !isTest && basename(path) !== "main.ts"),
    ({ path }) => basename(path),
  );
  const twins = [...helpers.values()]
    .filter((namesakes) => namesakes.length > 1)
    .map((namesakes) => `one name for several helpers: ${namesakes.map(({ path }) => path).join(", ")}`);
  return [...styles, ...twins];
}

/** A function of this name could advertise, announce, report, emit, log or post: it is named by what it does. */
const TELLING = /(?:\bfunction |\bconst |#)(tell[A-Z]?\w*) ?(?:=|\()/;

export const verbFaults = (files: readonly SourceFile[]): string[] =>
  files
    .filter(({ path, isTest }) => !isTest && ["api", "common", ...ROLES].includes(folderOf(path)))
    .flatMap(({ path, text }) =>
      text.split("\n").flatMap((line, at) => {
        const name = TELLING.exec(line)?.[1];
        return name === undefined ? [] : [`${path}:${at + 1}: ${name}: name it by what it does`];
      }),
    );

/** Words that bring in time, chance or the environment, and the files that may hold them. */
const IMPURE =
  /\b(Date\.now|new Date\(\)|performance\.now|setTimeout|setInterval|setImmediate|Math\.random|randomBytes|process\.env)\b/;
const SHELLS = [
  /^common\/(clock|random|process|log)\.ts$/,
  /^(operator|controller|speaker|cli)\/(main|options)\.ts$/,
  // In a browser, where there is nobody to pass a clock in.
  /^console\/page\/poll\.ts$/,
  /^speaker\/(layer2|bfd|gossip)\/worker\.ts$/,
];

export function ambientFaults(files: readonly SourceFile[]): string[] {
  return files
    .filter(({ path, isTest }) => !isTest && ["api", "common", ...ROLES].includes(folderOf(path)))
    .filter(({ path }) => !SHELLS.some((shell) => shell.test(path)))
    .flatMap(({ path, text }) =>
      text.split("\n").flatMap((line, at) => {
        const code = line.replace(/^\s*(\*|\/\/|\/\*).*$/, "").replace(/\/\/ .*$/, "");
        const word = IMPURE.exec(code)?.[1];
        return word === undefined
          ? []
          : [`${path}:${at + 1}: ${word} comes in by an argument, not by itself`];
      }),
    );
}
