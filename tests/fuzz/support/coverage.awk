# A table of the files that `aims` names, from the lcov export on standard input: how many lines were reached, and the
# numbers of those that were not.
BEGIN { count = split(aims, files, " ") }
/^SF:/ {
  file = ""
  for (i = 1; i <= count; ++i) if (index($0, "/include/fairlead/" files[i])) file = files[i]
}
/^DA:/ && file != "" {
  split(substr($0, 4), line, ",")
  ++lines[file]
  if (line[2] > 0) ++reached[file]
  else missed[file] = missed[file] " " line[1]
}
END {
  printf "%-40s %6s %8s %8s   %s\n", "file", "lines", "reached", "percent", "not reached"
  for (i = 1; i <= count; ++i) {
    file = files[i]
    all_lines += lines[file]
    all_reached += reached[file]
    print_row(file, lines[file], reached[file], missed[file])
  }
  print_row("all", all_lines, all_reached, "")
}
function print_row(name, lines, reached, missed) {
  printf "%-40s %6d %8d %8.1f  %s\n", name, lines, reached, lines ? 100 * reached / lines : 0, missed
}
