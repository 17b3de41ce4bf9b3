"""Speed as ratios, measured side by side; each file is the program that measured a section of docs/benchmarks.md."""
