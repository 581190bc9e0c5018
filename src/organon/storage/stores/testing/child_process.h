#pragma once

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "organon/storage/stores/testing/sockets.h"

namespace organon::storage::testing {

/// A server in a process of its own, which ends with this one. What it says goes to the file `log`.
class ChildProcess {
 public:
  ChildProcess(std::vector<std::string> words, const std::string& log) {
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    process_ = ::fork();
    if (process_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      const int output = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0666);
      ::dup2(output, 1);
      ::dup2(output, 2);
      ::execvp(arguments[0], arguments.data());
      ::_exit(127);
    }
  }
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;
  ~ChildProcess() {
    ::kill(process_, SIGKILL);
    ::waitpid(process_, nullptr, 0);
  }

  /// Until it takes connections.
  void wait_for_port(int port) const {
    for (int i = 0; i < 400; ++i) {
      if (Socket().connect(port)) return;
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    throw std::runtime_error("the server does not start");
  }

 private:
  ::pid_t process_ = -1;
};

}  // namespace organon::storage::testing
