// Sends a message through a session; ends with 0 only when it comes back.
bool echo_comes_back();

int main() { return echo_comes_back() ? 0 : 1; }
