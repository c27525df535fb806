"""PPO of language models: ``algorithm`` is the papers', ``policy`` one network in three roles, ``loop`` the way."""
