// Sends a message through a session; ends with 0 only when it comes back.
bool echo_comes_back();

// Waits ten seconds of virtual time for a server's deadline, behind a link that stalls.
bool timeout_is_met();

int main() { return echo_comes_back() && timeout_is_met() ? 0 : 1; }
