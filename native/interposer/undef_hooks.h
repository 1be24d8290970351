// No #pragma once: included after every use of hooks.def and calls.def.
#undef HOOK
#undef CALL
#undef REDIRECT
#undef PASS
#undef OBSERVE
#undef WATCH
#undef SYNC
#undef MARK
#undef LOADER
