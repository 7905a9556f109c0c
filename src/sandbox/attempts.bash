# Tries what a run must not be able to do; the host looks afterwards at what came of it. Bash's own commands alone, but
# for `mkdir`. Standard input: a folder beside the workspace, and a port on which the host listens.
read -r outside
read -r port

# Into a folder that is not the workspace.
{ mkdir -p "$outside" && echo written > "$outside/written"; } 2>/dev/null || true

# From there; the host looks for these words in what is printed.
{ read -r line < "$outside/secret" && echo "read: $line"; } 2>/dev/null || true

# To the host.
(exec 3<> "/dev/tcp/127.0.0.1/$port") 2>/dev/null && echo connected || true

# A process that stays: the host sees whether anybody still has the pipe open. Opening it here waits for that process.
( (read -r -t 60 line <> stays) & ) > /dev/null 2>&1
: > stays

# A file of 4 MiB; the limit is 1 MiB.
(printf '%*s' 4194304 '' > large) 2>/dev/null || true
