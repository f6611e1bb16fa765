"""The supervisors that are compared, one module each. A further one needs a subclass of Supervisor and a line here."""

from .hostler import Hostler
from .pm2 import Pm2
from .runit import Runit
from .supervisor import Supervisord

ALL = {kind.name: kind for kind in (Hostler, Pm2, Supervisord, Runit)}
