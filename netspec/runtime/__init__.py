"""What runs programs: builds them, holds their memory, walks through their tables; and the reference that judges them."""
