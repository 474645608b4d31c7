/** `npm run lab -- ...`: a real Kubernetes cluster on this machine. */
import { Command, InvalidArgumentError, Option } from "commander";
import { say } from "#hack/common/progress.ts";
import { KERNEL_KINDS, type KernelKind } from "#hack/guest/kernel.ts";
import { instances, takeDown } from "#hack/lab/down.ts";
import { BIN_DIRECTORY, type Layout, layoutOf } from "#hack/lab/layout.ts";
import {
  addNode,
  execute,
  kubeconfigOf,
  loadArchives,
  loadIntoNodes,
  reboot,
  removeNode,
  requireUp,
  setLink,
} from "#hack/lab/members.ts";
import { prepareAll } from "#hack/lab/prepare.ts";
import { statusText } from "#hack/lab/status.ts";
import { bringUp } from "#hack/lab/up.ts";

interface UpFlags {
  readonly nodes: number;
  readonly forwarding: "IPVS" | "KubeProxy";
  readonly only?: "control-plane";
  readonly guest?: boolean;
  readonly kernel?: KernelKind;
}

function wholeNumber(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError("must be a whole number");
  return Number(text);
}

const program = new Command("lab")
  .description("A real Kubernetes cluster on this machine: control plane, nodes, a router, a client")
  .addOption(
    new Option("--instance <number>", "which lab; several stand side by side")
      .default(0)
      .argParser(wholeNumber),
  )
  .enablePositionalOptions();
const layout = (): Layout => layoutOf(program.opts<{ instance: number }>().instance);

program
  .command("up")
  .description("bring it up; what is half there is removed first")
  .addOption(new Option("--nodes <count>").default(3).argParser(wholeNumber))
  .addOption(
    new Option("--forwarding <mode>", "IPVS puts the nodes where a kernel has ip_vs")
      .choices(["IPVS", "KubeProxy"])
      .default("IPVS"),
  )
  .addOption(new Option("--only <part>", "no nodes, API server on loopback").choices(["control-plane"]))
  .option("--guest", "nodes in the guest even where this kernel would do")
  .addOption(new Option("--kernel <kind>", "the same, with this kernel").choices(KERNEL_KINDS))
  .action(async (flags: UpFlags) => {
    await bringUp(
      layout(),
      {
        nodes: flags.nodes,
        forwarding: flags.forwarding,
        isControlPlaneOnly: flags.only === "control-plane",
        isGuestForced: flags.guest === true,
        ...(flags.kernel === undefined ? {} : { kernel: flags.kernel }),
      },
      say,
    );
    say(`export KUBECONFIG=${kubeconfigOf(layout())}`);
  });
program
  .command("down")
  .description("take it away: leaves nothing behind")
  .action(async () => {
    const { instance } = layout();
    say((await takeDown(layout(), say)) ? `lab ${instance} is gone` : `there was no lab ${instance}`);
  });
program
  .command("status")
  .description("what runs, where, and why there")
  .action(async () => {
    const text = await statusText(layout());
    process.stdout.write(`${text ?? `lab ${layout().instance}: down`}\n`);
    const others = (await instances()).filter((instance) => instance !== layout().instance);
    if (others.length > 0) process.stdout.write(`other instances: ${others.join(", ")}\n`);
  });
program
  .command("exec <place> [command...]")
  .description("run a command on node1, ..., router, client or host: exec client -- curl ...")
  .passThroughOptions()
  .action(async (place: string, command: string[]) => {
    const argv = command[0] === "--" ? command.slice(1) : command;
    process.exitCode = await execute(layout(), place, argv.length === 0 ? ["sh"] : argv);
  });
program
  .command("env")
  .description('the exports that make kubectl work: eval "$(npm run --silent lab -- env)"')
  .action(async () => {
    await requireUp(layout());
    process.stdout.write(
      `export KUBECONFIG="${kubeconfigOf(layout())}"\nexport PATH="${BIN_DIRECTORY}:$PATH"\n`,
    );
  });
program
  .command("load-images [archives...]")
  .description("import archives into every node; without a name, every one of .lab/images")
  .action((archives: string[]) =>
    archives.length === 0 ? loadIntoNodes(layout(), say) : loadArchives(layout(), archives, say),
  );
program
  .command("programs")
  .description("build what is missing: Kubernetes' and containerd's programs, the guest's kernel")
  .action(() => prepareAll(say));
program
  .command("cut <node>")
  .description("take a node's link down, on the bridge's side; prints when, in milliseconds since 1970")
  .action(async (name: string) => {
    process.stdout.write(`${await setLink(layout(), name, "down")}\n`);
  });
program
  .command("mend <node>")
  .description("bring it up again")
  .action(async (name: string) => {
    await setLink(layout(), name, "up");
  });
const node = program.command("node").description("add, remove or reboot a node");
node.command("add <name>").action((name: string) => addNode(layout(), name, say));
node.command("reboot <name>").action((name: string) => reboot(layout(), name, 0, say));
node.command("remove <name>").action((name: string) => removeNode(layout(), name, say));

try {
  await program.parseAsync();
} catch (error) {
  process.stderr.write(`lab: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
