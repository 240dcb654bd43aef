// SPDX-License-Identifier: MIT
// tern doctor: what this machine has, what Tern makes of it, and why.
#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>

#include "tern/base/cpu_features.h"
#include "tern/base/cpu_topology.h"
#include "tern/base/settings.h"
#include "tern/kernels/kernel_table.h"
#include "tools/tern/command.h"
#include "tools/tern/machine.h"

namespace tern::cli {
namespace {

constexpr const char* kText =
    "Shows the CPU and its instruction sets, the CPU targets of this program with the one that\n"
    "is chosen and why, cores, caches and memory, and peaks measured now (some seconds). The\n"
    "peaks bound the speed: generation reads every weight once for each token.";
constexpr const char* kExamples =
    "  tern doctor\n"
    "  TERN_CPU=avx2 tern doctor          # forces a target; all give the same bits\n"
    "  tern doctor --json --threads 1";

struct Peaks {
  double read_bytes = 0;  // per second
  double ternary_operations = 0;
};

struct Report {
  CpuFeatures cpu;
  CpuTopology topology;
  MachineMemory memory;
  std::vector<kernels::Target> targets;
  std::string chosen;
  std::string why;
  int threads = 1;
  int64_t buffer_bytes = 0;
  Peaks one_thread;
  Peaks all_threads;
};

std::vector<std::pair<const char*, bool>> FeatureList(const CpuFeatures& cpu) {
#if defined(__x86_64__)
  return {{"sse41", cpu.sse41},           {"avx2", cpu.avx2},
          {"avx_vnni", cpu.avx_vnni},     {"avx512", cpu.avx512},
          {"avx512vnni", cpu.avx512vnni}, {"avx512vbmi", cpu.avx512vbmi},
          {"amx_int8", cpu.amx_int8}};
#else
  return {{"neon", cpu.neon}, {"neon_dot", cpu.neon_dot}, {"i8mm", cpu.i8mm}};
#endif
}

// "cpu.avx512 && cpu.avx512vnni" as "avx512 && avx512vnni".
std::string NeedsText(std::string needs) {
  for (size_t at = needs.find("cpu."); at != std::string::npos; at = needs.find("cpu.", at)) {
    needs.erase(at, 4);
  }
  return needs;
}

std::string FeaturesText(const CpuFeatures& cpu) {
  std::string text;
  for (const auto& [name, present] : FeatureList(cpu)) {
    if (present) text += (text.empty() ? "" : " ") + std::string(name);
  }
  return text.empty() ? "none that Tern uses" : text;
}

void MeasurePeaks(const CommonOptions& options, int64_t buffer_bytes, Peaks* peaks) {
  const std::unique_ptr<Context> ctx = MakeContext(options);
  peaks->read_bytes = ReadPeak(*ctx, buffer_bytes).Measure(ctx->threads());
  peaks->ternary_operations = MeasureTernaryRate(*ctx);
}

Report Examine(const CommonOptions& options) {
  Report report;
  report.cpu = CpuFeatures::Detect();
  report.topology = CpuTopology::Detect();
  report.memory = ReadMachineMemory();
  report.targets = kernels::ListTargets(report.cpu);
  const std::string forced = ReadSettings().cpu_target;
  report.chosen = kernels::SelectKernels(report.cpu, forced).target;
  report.why = forced.empty() ? "the fastest that this machine has" : "TERN_CPU forces it";
  report.threads = ThreadCount(options);
  report.buffer_bytes = PeakBufferBytes(report.topology, report.memory, options.memory_limit_bytes);
  CommonOptions one_thread = options;
  one_thread.threads = 1;
  MeasurePeaks(one_thread, report.buffer_bytes, &report.one_thread);
  MeasurePeaks(options, report.buffer_bytes, &report.all_threads);
  return report;
}

nlohmann::ordered_json ToJson(const Report& report) {
  nlohmann::ordered_json features = nlohmann::ordered_json::object();
  for (const auto& [name, present] : FeatureList(report.cpu)) features[name] = present;
  nlohmann::ordered_json targets = nlohmann::ordered_json::array();
  for (const kernels::Target& target : report.targets) {
    targets.push_back({{"name", target.name},
                       {"supported", target.supported},
                       {"chosen", report.chosen == target.name},
                       {"needs", NeedsText(target.needs)}});
  }
  return {{"version", TERN_VERSION},
          {"cpu", report.cpu.brand},
          {"features", features},
          {"targets", targets},
          {"target", report.chosen},
          {"why", report.why},
          {"threads", report.threads},
          {"logical_cpus", report.topology.logical_cpus},
          {"physical_cores", report.topology.physical_cores},
          {"cpu_quota", report.topology.cpu_quota},
          {"cache_bytes",
           {{"l1_data", report.topology.l1_data_bytes},
            {"l2", report.topology.l2_bytes},
            {"l3", report.topology.l3_bytes}}},
          {"memory_bytes",
           {{"total", report.memory.total_bytes},
            {"available", report.memory.available_bytes},
            {"limit", report.memory.limit_bytes}}},
          {"read_bytes_per_second",
           {{"buffer_bytes", report.buffer_bytes},
            {"one_thread", report.one_thread.read_bytes},
            {"all_threads", report.all_threads.read_bytes}}},
          {"ternary_operations_per_second",
           {{"one_thread", report.one_thread.ternary_operations},
            {"all_threads", report.all_threads.ternary_operations}}}};
}

void PrintTargets(const Report& report) {
  const char* heading = "targets";
  for (const kernels::Target& target : report.targets) {
    std::string state = "available";
    if (!target.supported) state = "not here, needs " + NeedsText(target.needs);
    if (report.chosen == target.name) state = "chosen: " + report.why;
    Print(fmt::format("{:<11}{:<12}{}\n", heading, target.name, state));
    heading = "";
  }
}

std::string SizeOrUnknown(int64_t bytes) {
  return bytes > 0 ? fmt::format("{} KiB", CountText(bytes >> 10)) : "unknown";
}

void PrintReport(const Report& report) {
  const CpuTopology& topology = report.topology;
  Print(fmt::format("tern       {}\n", TERN_VERSION));
  Print(fmt::format("CPU        {}\n", report.cpu.brand));
  Print(fmt::format("features   {}\n", FeaturesText(report.cpu)));
  PrintTargets(report);
  Print(fmt::format(
      "threads    {} ({} cores, {} logical CPUs, quota {})\n", report.threads,
      topology.physical_cores, topology.logical_cpus,
      topology.cpu_quota > 0 ? fmt::format("{:g} CPUs", topology.cpu_quota) : std::string("none")));
  Print(fmt::format("caches     L1 data {}, L2 {}, L3 {}\n", SizeOrUnknown(topology.l1_data_bytes),
                    SizeOrUnknown(topology.l2_bytes), SizeOrUnknown(topology.l3_bytes)));
  Print(fmt::format(
      "memory     {}, {} available{}\n", BytesText(static_cast<double>(report.memory.total_bytes)),
      BytesText(static_cast<double>(report.memory.available_bytes)),
      report.memory.limit_bytes > 0
          ? ", limited to " + BytesText(static_cast<double>(report.memory.limit_bytes))
          : ""));
  Print(fmt::format("reading    {}/s with 1 thread, {}/s with {} ({} buffer)\n",
                    BytesText(report.one_thread.read_bytes),
                    BytesText(report.all_threads.read_bytes), report.threads,
                    BytesText(static_cast<double>(report.buffer_bytes))));
  Print(fmt::format(
      "ternary    {:.0f} Gop/s with 1 thread, {:.0f} Gop/s with {} (matrix product, in cache)\n",
      report.one_thread.ternary_operations / 1e9, report.all_threads.ternary_operations / 1e9,
      report.threads));
}

struct Options : CommonOptions {};

int Run(const Options& options) {
  const Report report = Examine(options);
  if (options.json) {
    PrintJson(ToJson(report));
  } else {
    PrintReport(report);
  }
  return 0;
}

}  // namespace

void AddDoctor(CLI::App& app, Runner* run) {
  auto options = std::make_shared<Options>();
  CLI::App* command = AddCommand(
      app, "doctor", "What this machine can do, and what Tern makes of it", kText, kExamples);
  AddCommonOptions(command, options.get());
  RunWith(command, run, options, &Run);
}

}  // namespace tern::cli
